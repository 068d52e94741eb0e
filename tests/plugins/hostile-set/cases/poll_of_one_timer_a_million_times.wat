;; mapper wasi:clocks/monotonic-clock@0.2.0 wasi:io/poll@0.2.0
;; Waits for a million handles, which are all one: the host makes something of each.

(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
  (func $timer (param i64) (result i32)))
(import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
(memory $memory (export "memory") 70)
(func $misbehave (param i32)
  (local $timers i32)
  (local $place i32)
  (local.set $timers (call $timer (i64.const 1)))
  (local.set $place (i32.const 131072))
  (loop $next
    (i32.store (local.get $place) (local.get $timers))
    (local.set $place (i32.add (local.get $place) (i32.const 4)))
    (br_if $next (i32.lt_u (local.get $place) (i32.const 4131072))))
  (loop $again
    (global.set $heap (i32.const 4200000))
    (call $poll (i32.const 131072) (i32.const 1000000) (i32.const 4000))
    (br $again)))
