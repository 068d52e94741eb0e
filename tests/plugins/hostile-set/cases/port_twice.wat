;; flat-mapper

(func $misbehave (param i32)
  (memory.copy (i32.const 3424) (i32.const 3400) (i32.const 24))
  (i32.store (i32.const 3108) (i32.const 2)))
