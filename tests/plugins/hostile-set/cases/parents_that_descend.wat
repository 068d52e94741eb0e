;; flat-mapper
;; Two rows out, whose parents are the second row and then the first.

(data $values (i32.const 3500) (i64 1 2))
(data $parents (i32.const 3520) (i32 1 0))
(func $misbehave (param i32)
  (i32.store (i32.const 3404) (i32.const 2))
  (i32.store (i32.const 3200) (i32.const 2))
  (i32.store (i32.const 3308) (i32.const 3500))
  (i32.store (i32.const 3312) (i32.const 16))
  (i32.store (i32.const 3416) (i32.const 3520))
  (i32.store (i32.const 3420) (i32.const 2)))
