;; mapper
;; The same with a table.

(table $table 90000 funcref)
(func $misbehave (param i32)
  (loop $for_ever
    (table.fill $table (i32.const 0) (ref.null func) (i32.const 90000))
    (br $for_ever)))
