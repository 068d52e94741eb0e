;; updater

(func $misbehave (param $keys i32)
  (call $give_timers (i32.add (local.get $keys) (i32.const 1)) (i64.const 5)))
