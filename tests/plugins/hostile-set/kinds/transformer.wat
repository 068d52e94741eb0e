;; Keeps the last chunk and gives it at the first `pull`. What `pull` gives: ok or error at 3100,
;; whether there are rows at 3104, the ports that get rows from 3108 on, errors from 3116 on. The
;; one port's rows stand at 3400: its number, the count, the columns, the parents.

(data $kind (i32.const 1048) (i32 4))

(global $given (mut i32) (i32.const 0))
(global $count (mut i32) (i32.const 0))
(global $bad (mut i32) (i32.const 0))

(func $push (export "weir:operator/transformer@0.1.0#push")
  (param $this i32) (param $count i32) (param $columns i32) (param $length i32) (result i32)
  (call $make_column (local.get $count) (local.get $columns))
  (global.set $count (local.get $count))
  (global.set $bad
    (i32.or
      (global.get $bad)
      (call $has_seven (local.get $count) (call $values (local.get $columns)))))
  (i32.store (i32.const 3100) (i32.const 0))
  (i32.const 3100))

(func $pull (export "weir:operator/transformer@0.1.0#pull") (param $this i32) (result i32)
  (i32.store (i32.const 3100) (i32.const 0))
  (i32.store (i32.const 3104) (i32.eqz (global.get $given)))
  (global.set $given (i32.const 1))
  (i32.store (i32.const 3108) (i32.const 3400))
  (i32.store (i32.const 3112) (i32.const 1))
  (i64.store (i32.const 3116) (i64.const 0))
  (i32.store (i32.const 3400) (i32.const 0))
  (i32.store (i32.const 3404) (global.get $count))
  (i32.store (i32.const 3408) (i32.const 3200))
  (i32.store (i32.const 3412) (i32.const 1))
  (i64.store (i32.const 3416) (i64.const 0))
  (if (global.get $bad) (then (call $misbehave (global.get $count))))
  (i32.const 3100))
