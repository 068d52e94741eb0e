;; mapper
;; Takes memory before any op has said how much there is.

(func $describe (export "weir:operator/guest@0.1.0#describe") (result i32)
  (loop $more
    (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
    (memory.fill
      (i32.mul (i32.sub (memory.size) (i32.const 16)) (i32.const 65536))
      (i32.const 1) (i32.const 1048576))
    (br $more))
  (unreachable))
