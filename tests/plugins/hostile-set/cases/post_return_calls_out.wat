;; mapper weir:operator/log@0.1.0
;; Told that its answer was taken it calls the host.

(import "weir:operator/log@0.1.0" "log" (func $log (param i32 i32 i32)))
(global $seven (mut i32) (i32.const 0))
(func $misbehave (param i32) (global.set $seven (i32.const 1)))
(func $taken (export "cabi_post_weir:operator/mapper@0.1.0#map-rows") (param i32)
  (if (global.get $seven)
    (then (call $log (i32.const 1) (i32.const 2000) (i32.const 2)))))
