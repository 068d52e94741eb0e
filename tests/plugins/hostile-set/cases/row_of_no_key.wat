;; updater
;; A row comes from a key that there is not.

(func $misbehave (param $keys i32)
  (i32.store
    (i32.add
      (i32.load (i32.const 3416))
      (i32.mul (i32.sub (local.get $keys) (i32.const 1)) (i32.const 4)))
    (i32.const 99)))
