;; mapper
;; Gives one mebibyte a thousand times.

(func $misbehave (param i32)
  (local $buffer i32)
  (drop (memory.grow (i32.const 32)))
  (i32.store (i32.const 3208) (i32.const 131072))
  (i32.store (i32.const 3212) (i32.const 1000))
  (local.set $buffer (i32.const 131072))
  (loop $next
    (i32.store (local.get $buffer) (i32.const 65536))
    (i32.store offset=4 (local.get $buffer) (i32.const 1048576))
    (local.set $buffer (i32.add (local.get $buffer) (i32.const 8)))
    (br_if $next (i32.lt_u (local.get $buffer) (i32.const 139072)))))
