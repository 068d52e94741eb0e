;; flat-mapper
;; Gives nine values whose bitmap has eight bits.

(func $misbehave (param i32)
  (i32.store (i32.const 3404) (i32.const 9))
  (i32.store (i32.const 3200) (i32.const 9))
  (i32.store (i32.const 3204) (i32.const 1))
  (i32.store (i32.const 3300) (i32.const 3500))
  (i32.store (i32.const 3304) (i32.const 1))
  (i32.store (i32.const 3308) (i32.const 3512))
  (i32.store (i32.const 3312) (i32.const 72))
  (i32.store (i32.const 3420) (i32.const 0)))
