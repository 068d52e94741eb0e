;; mapper wasi:clocks/monotonic-clock@0.2.0
;; Makes one timer after the other and drops none.

(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration"
  (func $timer (param i64) (result i32)))
(func $misbehave (param i32) (loop $more (drop (call $timer (i64.const 1))) (br $more)))
