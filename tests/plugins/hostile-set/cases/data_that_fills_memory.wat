;; mapper
;; What it has from the start is more than it may have.

(memory $memory (export "memory") 600)
(data $last (i32.const 39321599) "x")
