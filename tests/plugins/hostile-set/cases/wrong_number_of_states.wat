;; aggregator
;; Gives one state more than it was asked for.

(func $zeros (param $count i32) (result i32)
  (call $give_numbers (i32.add (local.get $count) (i32.const 1)) (i32.const 65536))
  (i32.store (i32.const 3100) (i32.const 0))
  (i32.store (i32.const 3104) (i32.add (local.get $count) (i32.const 1)))
  (i32.store (i32.const 3108) (i32.const 3200))
  (i32.store (i32.const 3112) (i32.const 1))
  (i32.const 3100))
