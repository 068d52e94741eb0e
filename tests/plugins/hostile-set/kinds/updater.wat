;; A key is a value, and its state the same number. What `visit` gives: ok or error at 3100, changes
;; at 3104, the count and the columns of the states at 3112, timers at 3124, ports that get rows at
;; 3132, values that were not taken at 3140 and keys that were not at 3148. The one port's rows
;; stand at 3400: its number, the count, the columns, the parents.

(data $kind (i32.const 1048) (i32 5))
(data $state (i32.const 1080) (i32 1320 1))
(data $state_version (i32.const 1088) (i32 1))

;; What is given has another name than the key.
(data $given_field (i32.const 1280) (i32 2026 1 2030 5 0))
(data $text_given (i32.const 2026) "m")

(func $begin (export "weir:operator/updater@0.1.0#begin")
  (param $this i32) (param $key i32) (param $length i32) (result i32)
  (i32.store (i32.const 3000) (i32.const 0))
  (i32.const 3000))

(func $visit (export "weir:operator/updater@0.1.0#visit")
  (param $this i32) (param $keys i32) (param $key_columns i32) (param $key_length i32)
  (param $states i32) (param $state_columns i32) (param $state_length i32)
  (param $known i32) (param $known_length i32) (param $timed i32) (param $timed_length i32)
  (param $count i32) (param $columns i32) (param $length i32)
  (param $ends i32) (param $ends_length i32) (result i32)
  (call $make_column (local.get $keys) (local.get $columns))
  (memory.fill (i32.const 3100) (i32.const 0) (i32.const 56))
  (i32.store (i32.const 3104)
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (local.get $keys)))
  (i32.store (i32.const 3108) (local.get $keys))
  (memory.fill (i32.load (i32.const 3104)) (i32.const 1) (local.get $keys))
  (i32.store (i32.const 3112) (local.get $keys))
  (i32.store (i32.const 3116) (i32.const 3200))
  (i32.store (i32.const 3120) (i32.const 1))
  (i32.store (i32.const 3132) (i32.const 3400))
  (i32.store (i32.const 3136) (i32.const 1))
  (call $give_port (local.get $keys))
  (call $at_seven (local.get $count) (local.get $columns))
  (i32.const 3100))

;; Makes so many timers, all at a moment.
(func $give_timers (param $count i32) (param $at i64)
  (local $place i32)
  (i32.store (i32.const 3128) (local.get $count))
  (local.set $place
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 8)
      (i32.mul (local.get $count) (i32.const 16))))
  (i32.store (i32.const 3124) (local.get $place))
  (loop $next
    (if (local.get $count)
      (then
        (i32.store (local.get $place) (i32.const 2))
        (i64.store offset=8 (local.get $place) (local.get $at))
        (local.set $place (i32.add (local.get $place) (i32.const 16)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))))

;; Each row that comes out is of the key of its number.
(func $give_port (param $count i32)
  (local $row i32)
  (i32.store (i32.const 3400) (i32.const 0))
  (i32.store (i32.const 3404) (local.get $count))
  (i32.store (i32.const 3408) (i32.const 3200))
  (i32.store (i32.const 3412) (i32.const 1))
  (i32.store (i32.const 3416)
    (call $realloc (i32.const 0) (i32.const 0) (i32.const 4)
      (i32.mul (local.get $count) (i32.const 4))))
  (i32.store (i32.const 3420) (local.get $count))
  (loop $next
    (if (i32.lt_u (local.get $row) (local.get $count))
      (then
        (i32.store
          (i32.add (i32.load (i32.const 3416)) (i32.mul (local.get $row) (i32.const 4)))
          (local.get $row))
        (local.set $row (i32.add (local.get $row) (i32.const 1)))
        (br $next)))))
