;; mapper weir:operator/context@0.1.0
;; Opens when the job is checked, and traps in its first batch.

(import "weir:operator/context@0.1.0" "current" (func $current (param i32)))
(func $open (export "weir:operator/guest@0.1.0#open")
  (param i32 i32 i32 i32 i32 i32 i32) (result i32)
  (call $current (i32.const 4000))
  (if (i64.eq (i64.load (i32.const 4016)) (i64.const 1)) (then (unreachable)))
  (i32.store (i32.const 3000) (i32.const 0))
  (i32.store (i32.const 3004) (call $new (i32.const 1)))
  (i32.const 3000))
