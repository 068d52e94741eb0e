;; updater
;; Says nothing of what becomes of the states.

(func $misbehave (param i32) (i32.store (i32.const 3108) (i32.const 0)))
