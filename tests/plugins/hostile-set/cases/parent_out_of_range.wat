;; flat-mapper

(func $misbehave (param $count i32)
  (i32.store
    (i32.add
      (i32.load (i32.const 3416))
      (i32.mul (i32.sub (local.get $count) (i32.const 1)) (i32.const 4)))
    (i32.const 99)))
