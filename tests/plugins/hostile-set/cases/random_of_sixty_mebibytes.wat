;; mapper wasi:random/random@0.2.0
;; Lets the host make sixty mebibytes for it, which have no place in its own memory.

(import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
(func $misbehave (param i32) (call $random (i64.const 62914560) (i32.const 4000)))
