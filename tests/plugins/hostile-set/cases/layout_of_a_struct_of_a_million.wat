;; mapper
;; A type of five mebibytes that is right: the host would need eighty times as much for it.

(memory $memory (export "memory") 128)
(data $port (i32.const 1240) (i32 2040 3 0 0 0))
(data $layout_given (i32.const 3040) (i32 0 0 3060 1))
(data $other_port (i32.const 3060) (i32 2040 3 1 3080 1))
(data $other_field (i32.const 3080) (i32 2024 1 131072 5592407 0))
(data $text_start (i32.const 4000) "struct{a:bool}")
(data $text_field (i32.const 4020) "a:bool,")
(func $layout (export "weir:operator/guest@0.1.0#[method]instance.layout")
  (param i32) (result i32)
  (local $place i32)
  (memory.copy (i32.const 131072) (i32.const 4000) (i32.const 7))
  (local.set $place (i32.const 131079))
  (loop $next
    (memory.copy (local.get $place) (i32.const 4020) (i32.const 7))
    (local.set $place (i32.add (local.get $place) (i32.const 7)))
    (br_if $next (i32.lt_u (local.get $place) (i32.const 5723472))))
  (memory.copy (local.get $place) (i32.const 4007) (i32.const 7))
  (i32.store (i32.const 3092) (i32.sub (local.get $place) (i32.const 131065)))
  (i32.const 3040))
