;; updater

(data $state_version (i32.const 1088) (i32 0))
