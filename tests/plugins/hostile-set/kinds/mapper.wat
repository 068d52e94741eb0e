;; What a call gives: ok or error at 3100, rows from 3104 on, errors from 3116 on.

(data $kind (i32.const 1048) (i32 0))

(func $map (export "weir:operator/mapper@0.1.0#map-rows")
  (param $this i32) (param $count i32) (param $columns i32) (param $length i32) (result i32)
  (call $make_column (local.get $count) (local.get $columns))
  (i32.store (i32.const 3100) (i32.const 0))
  (i32.store (i32.const 3104) (local.get $count))
  (i32.store (i32.const 3108) (i32.const 3200))
  (i32.store (i32.const 3112) (i32.const 1))
  (i64.store (i32.const 3116) (i64.const 0))
  (call $at_seven (local.get $count) (local.get $columns))
  (i32.const 3100))
