;; updater
;; Refuses a value that there is not.

(data $error (i32.const 3500) (i32 77 0 0 0 0 0))
(func $misbehave (param i32)
  (i32.store (i32.const 3140) (i32.const 3500))
  (i32.store (i32.const 3144) (i32.const 1)))
