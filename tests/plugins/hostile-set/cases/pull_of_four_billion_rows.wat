;; transformer
;; One value that stands for as many rows as 32 bits can say.

(func $misbehave (param i32)
  (i32.store (i32.const 3404) (i32.const -1))
  (i32.store (i32.const 3200) (i32.const 1))
  (i32.store (i32.const 3312) (i32.const 8)))
