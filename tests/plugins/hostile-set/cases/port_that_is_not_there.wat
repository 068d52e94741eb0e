;; flat-mapper

(func $misbehave (param i32) (i32.store (i32.const 3400) (i32.const 9)))
