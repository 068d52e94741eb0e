;; Its state is a number of 0 for each group. What `update` and `merge` give: ok or error at 3600,
;; the bytes of the states at 3608, errors from 3616 on. What `state` and `finish` give: ok or
;; error at 3100, rows from 3104 on.

(data $kind (i32.const 1048) (i32 3))
(data $state (i32.const 1080) (i32 1320 1))
(data $state_version (i32.const 1088) (i32 1))

(func $update (export "weir:operator/aggregator@0.1.0#update")
  (param $this i32) (param $groups i32) (param $groups_length i32) (param $total i32)
  (param $count i32) (param $columns i32) (param $length i32) (result i32)
  (i32.store (i32.const 3600) (i32.const 0))
  (i64.store (i32.const 3608) (i64.const 64))
  (i64.store (i32.const 3616) (i64.const 0))
  (call $at_seven (local.get $count) (local.get $columns))
  (i32.const 3600))

(func $merge (export "weir:operator/aggregator@0.1.0#merge")
  (param $this i32) (param $groups i32) (param $groups_length i32) (param $total i32)
  (param $count i32) (param $columns i32) (param $length i32) (result i32)
  (i32.store (i32.const 3600) (i32.const 0))
  (i64.store (i32.const 3608) (i64.const 64))
  (i64.store (i32.const 3616) (i64.const 0))
  (i32.const 3600))

(func $zeros (param $count i32) (result i32)
  (call $give_numbers (local.get $count)
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 8)
      (i32.mul (local.get $count) (i32.const 8))))
  (i32.store (i32.const 3100) (i32.const 0))
  (i32.store (i32.const 3104) (local.get $count))
  (i32.store (i32.const 3108) (i32.const 3200))
  (i32.store (i32.const 3112) (i32.const 1))
  (i32.const 3100))

(func $state (export "weir:operator/aggregator@0.1.0#state")
  (param $this i32) (param $first i32) (param $count i32) (result i32)
  (call $zeros (local.get $count)))

(func $finish (export "weir:operator/aggregator@0.1.0#finish")
  (param $this i32) (param $first i32) (param $count i32) (result i32)
  (call $zeros (local.get $count)))

(func $forget (export "weir:operator/aggregator@0.1.0#forget")
  (param $this i32) (param $count i32) (result i32)
  (i32.store (i32.const 3100) (i32.const 0))
  (i32.const 3100))
