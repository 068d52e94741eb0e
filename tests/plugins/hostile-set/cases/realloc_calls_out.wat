;; mapper weir:operator/log@0.1.0
;; Asked for memory it calls the host, which is in the middle of a call.

(import "weir:operator/log@0.1.0" "log" (func $log (param i32 i32 i32)))
(func $realloc (export "cabi_realloc")
  (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
  (call $log (i32.const 1) (i32.const 2000) (i32.const 2))
  (i32.const 65536))
