;; transformer
;; Always has more to give, and gives nothing.

(func $misbehave (param i32)
  (global.set $given (i32.const 0))
  (i32.store (i32.const 3112) (i32.const 0)))
