;; mapper
;; A million buffers of nothing: each costs the host more than it costs the guest.

(func $misbehave (param i32)
  (drop (memory.grow (i32.const 130)))
  (i32.store (i32.const 3208) (i32.const 131072))
  (i32.store (i32.const 3212) (i32.const 1000000)))
