;; mapper wasi:io/poll@0.2.0
;; Waits for a timer that it was never given.

(import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
(func $misbehave (param i32)
  (i32.store (i32.const 4000) (i32.const 12345))
  (call $poll (i32.const 4000) (i32.const 1) (i32.const 4000)))
