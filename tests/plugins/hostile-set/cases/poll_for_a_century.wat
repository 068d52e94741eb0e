;; mapper wasi:io/poll@0.2.0 wasi:clocks/monotonic-clock@0.2.0
;; Waits for a hundred years, over and over.

(import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
(import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop (param i32)))
(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
  (func $timer (param i64) (result i32)))
(func $misbehave (param i32)
  (loop $for_ever
    (i32.store (i32.const 4000) (call $timer (i64.const 3155760000000000000)))
    (call $poll (i32.const 4000) (i32.const 1) (i32.const 4008))
    (call $drop (i32.load (i32.const 4000)))
    (global.set $heap (i32.const 65536))
    (br $for_ever)))
