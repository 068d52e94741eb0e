;; aggregator
;; Says that its states take up all memory that 64 bits can address.

(func $misbehave (param i32) (i64.store (i32.const 3608) (i64.const -1)))
