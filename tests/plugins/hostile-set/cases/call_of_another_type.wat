;; mapper
;; Calls a function through a type that it does not have.

(table $table funcref (elem $deeper))
(type $nothing (func))
(func $deeper (param i32) (result i32) (local.get 0))
(func $misbehave (param i32) (call_indirect $table (type $nothing) (i32.const 0)))
