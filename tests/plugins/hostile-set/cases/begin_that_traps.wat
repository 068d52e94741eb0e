;; updater

(func $begin (export "weir:operator/updater@0.1.0#begin")
  (param $this i32) (param $key i32) (param $length i32) (result i32)
  (unreachable))
