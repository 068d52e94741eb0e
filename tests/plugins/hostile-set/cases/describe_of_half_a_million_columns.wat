;; mapper
;; Half a million columns in a schema, all of one name.

(memory $memory (export "memory") 170)
(data $port (i32.const 1240) (i32 2040 3 1 65536 500000))
(func $describe (export "weir:operator/guest@0.1.0#describe") (result i32)
  (local $field i32)
  (local.set $field (i32.const 65536))
  (loop $next
    (memory.copy (local.get $field) (i32.const 1280) (i32.const 20))
    (local.set $field (i32.add (local.get $field) (i32.const 20)))
    (br_if $next (i32.lt_u (local.get $field) (i32.const 10065536))))
  (i32.const 1024))
