;; What a call gives: ok or error at 3100, the bits of the verdict from 3104 on, errors from 3112
;; on. Every row stays.

(data $kind (i32.const 1048) (i32 1))
(data $ports (i32.const 1072) (i32 0 0))
(data $layout_given (i32.const 3040) (i32 0 0 0 0))

(func $test (export "weir:operator/predicate@0.1.0#test-rows")
  (param $this i32) (param $count i32) (param $columns i32) (param $length i32) (result i32)
  (i32.store (i32.const 3100) (i32.const 0))
  (i32.store (i32.const 3108)
    (i32.shr_u (i32.add (local.get $count) (i32.const 7)) (i32.const 3)))
  (i32.store (i32.const 3104)
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.load (i32.const 3108))))
  (memory.fill (i32.load (i32.const 3104)) (i32.const 255) (i32.load (i32.const 3108)))
  (i64.store (i32.const 3112) (i64.const 0))
  (call $at_seven (local.get $count) (local.get $columns))
  (i32.const 3100))
