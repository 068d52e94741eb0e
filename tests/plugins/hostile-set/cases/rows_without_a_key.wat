;; updater
;; Rows do not say which keys they come from.

(func $misbehave (param i32) (i32.store (i32.const 3420) (i32.const 0)))
