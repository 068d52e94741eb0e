;; updater
;; Does not take any key.

(data $text_refusal (i32.const 4100) "no key is right")
(func $begin (export "weir:operator/updater@0.1.0#begin")
  (param $this i32) (param $key i32) (param $length i32) (result i32)
  (i32.store (i32.const 3000) (i32.const 1))
  (i32.store (i32.const 3004) (i32.const 4100))
  (i32.store (i32.const 3008) (i32.const 15))
  (i32.const 3000))
