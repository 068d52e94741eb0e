;; mapper
;; Its message clears the screen and writes over lines.

(data $bytes (i32.const 4000) "\1b[2J\1b[31mall is well\0d\08\9b")
(func $misbehave (param i32)
  (i32.store (i32.const 3100) (i32.const 1))
  (i32.store (i32.const 3104) (i32.const 4000))
  (i32.store (i32.const 3108) (i32.const 22)))
