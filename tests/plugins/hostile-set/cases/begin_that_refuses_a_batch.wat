;; updater weir:operator/context@0.1.0
;; Takes its key when the job is checked, and refuses it in the first batch.

(import "weir:operator/context@0.1.0" "current" (func $current (param i32)))
(data $text_refusal (i32.const 4100) "not today")
(func $begin (export "weir:operator/updater@0.1.0#begin")
  (param $this i32) (param $key i32) (param $length i32) (result i32)
  ;; The number of the batch stands behind two texts.
  (call $current (i32.const 4000))
  (i32.store (i32.const 3000) (i64.eq (i64.load (i32.const 4016)) (i64.const 1)))
  (i32.store (i32.const 3004) (i32.const 4100))
  (i32.store (i32.const 3008) (i32.const 9))
  (i32.const 3000))
