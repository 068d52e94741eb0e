;; updater

(func $misbehave (param $keys i32)
  (call $give_timers (local.get $keys) (i64.const 0x7fffffffffffffff)))
