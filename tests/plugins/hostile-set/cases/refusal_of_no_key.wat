;; updater
;; Refuses a key that there is not.

(data $error (i32.const 3500) (i32 77 0 0 0 0 0))
(func $misbehave (param i32)
  (i32.store (i32.const 3148) (i32.const 3500))
  (i32.store (i32.const 3152) (i32.const 1)))
