;; mapper weir:operator/context@0.1.0
;; Opens when the job is checked, and refuses in its first batch.

(import "weir:operator/context@0.1.0" "current" (func $current (param i32)))
(data $text_refusal (i32.const 4100) "not today")
(func $open (export "weir:operator/guest@0.1.0#open")
  (param i32 i32 i32 i32 i32 i32 i32) (result i32)
  ;; The number of the batch stands behind two texts.
  (call $current (i32.const 4000))
  (i32.store (i32.const 3000) (i64.eq (i64.load (i32.const 4016)) (i64.const 1)))
  (i32.store (i32.const 3004) (i32.const 0))
  (i32.store (i32.const 3016) (i32.const 4100))
  (i32.store (i32.const 3020) (i32.const 9))
  (if (i32.eqz (i32.load (i32.const 3000)))
    (then (i32.store (i32.const 3004) (call $new (i32.const 1)))))
  (i32.const 3000))
