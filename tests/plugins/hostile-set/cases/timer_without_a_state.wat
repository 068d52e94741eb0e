;; updater
;; Takes all states away and sets their timers.

(func $misbehave (param $keys i32)
  (memory.fill (i32.load (i32.const 3104)) (i32.const 2) (local.get $keys))
  (i32.store (i32.const 3112) (i32.const 0))
  (i32.store (i32.const 3136) (i32.const 0))
  (i32.store (i32.const 3200) (i32.const 0))
  (call $give_timers (local.get $keys) (i64.const 5)))
