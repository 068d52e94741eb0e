;; updater
;; Gives a state for a key more than there are.

(func $misbehave (param $keys i32)
  (i32.store (i32.const 3112) (i32.add (local.get $keys) (i32.const 1)))
  (call $give_numbers (i32.add (local.get $keys) (i32.const 1)) (i32.const 65536)))
