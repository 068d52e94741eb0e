;; mapper wasi:io/poll@0.2.0
;; Waits for none of no timers, which would never end.

(import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
(func $misbehave (param i32) (call $poll (i32.const 4000) (i32.const 0) (i32.const 4000)))
