-- meaning: a code as people read it: written_off is Written off
create macro in_words(code) as upper(left(code, 1)) || replace(substr(code, 2), '_', ' ')
