;; flat-mapper
;; Half a million rows for one: the same value, which costs it nothing.

(func $misbehave (param i32)
  (i32.store (i32.const 3404) (i32.const 530000))
  (i32.store (i32.const 3200) (i32.const 1))
  (i32.store (i32.const 3312) (i32.const 8))
  (i32.store (i32.const 3420) (i32.const 0)))
