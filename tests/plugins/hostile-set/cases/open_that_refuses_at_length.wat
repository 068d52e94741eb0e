;; mapper
;; Refuses with a text of a mebibyte, for a setting whose name is as long.

(memory $memory (export "memory") 32)
(func $open (export "weir:operator/guest@0.1.0#open")
  (param i32 i32 i32 i32 i32 i32 i32) (result i32)
  (memory.fill (i32.const 131072) (i32.const 97) (i32.const 1048576))
  (i32.store (i32.const 3000) (i32.const 1))
  (i32.store (i32.const 3004) (i32.const 1))
  (i32.store (i32.const 3008) (i32.const 131072))
  (i32.store (i32.const 3012) (i32.const 1048576))
  (i32.store (i32.const 3016) (i32.const 131072))
  (i32.store (i32.const 3020) (i32.const 1048576))
  (i32.const 3000))
