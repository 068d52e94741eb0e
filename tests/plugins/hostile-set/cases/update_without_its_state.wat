;; updater
;; Sets states and gives none.

(func $misbehave (param i32)
  (i32.store (i32.const 3112) (i32.const 0))
  (i32.store (i32.const 3200) (i32.const 0)))
