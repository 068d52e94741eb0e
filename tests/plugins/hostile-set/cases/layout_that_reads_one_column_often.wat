;; mapper
;; Wants one column fifty thousand times.

(memory $memory (export "memory") 32)
(data $reads (i32.const 1060) (i32 0 0 0))
(data $layout_given (i32.const 3040) (i32 131072 50000 1240 1))
(func $layout (export "weir:operator/guest@0.1.0#[method]instance.layout")
  (param i32) (result i32)
  (local $place i32)
  (local.set $place (i32.const 131072))
  (loop $next
    (i32.store (local.get $place) (i32.const 2024))
    (i32.store offset=4 (local.get $place) (i32.const 1))
    (local.set $place (i32.add (local.get $place) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $place) (i32.const 531072))))
  (i32.const 3040))
