;; updater
;; What becomes of a state is none of the three.

(func $misbehave (param i32) (i32.store8 (i32.load (i32.const 3104)) (i32.const 9)))
