"""Sentences in many scripts, and typographic variants of them, for tests of texts."""

from __future__ import annotations

SPACED = {
    "English": "I don't think it's the king's own well-known house",
    "German": "Das Haus ist groß und die Tür steht noch offen",
    "French": "L'été dernier nous étions déjà à l'hôtel près du château",
    "Spanish": "El niño comió tres manzanas ayer por la mañana",
    "Polish": "Źdźbło trawy rośnie cicho obok starego młyna",
    "Turkish": "Çocuk büyük bahçede sessizce oynuyor şimdi",
    "Vietnamese": "Tiếng Việt có nhiều dấu thanh rất khó đọc",
    "Greek": "Ο άνθρωπος περπατά κάθε πρωί δίπλα στη θάλασσα",
    "Russian": "Ёлка стоит посреди большой светлой комнаты",
    "Ukrainian": "П'ять дітей грають у м'яч біля їхньої школи",
    "Arabic": "ذَهَبَ الوَلَدُ إِلى المَدرَسَةِ مُبَكِّراً",
    "Persian": "من می\u200cخواهم کتاب\u200cهای تازه را بخوانم",
    "Hebrew": 'הילד הלך לבית הספר עם צה"ל בבוקר',
    "Hindi": "प्राचीन संस्कृतियों के बारे में किताबें पढ़ी जाती हैं",
    "Bengali": "আমি প্রতিদিন সকালে নদীর ধারে হাঁটতে যাই",
    "Tamil": "நான் தினமும் காலையில் கடற்கரைக்குச் செல்கிறேன்",
    "Telugu": "నేను ప్రతిరోజూ ఉదయం పుస్తకాలు చదువుతాను",
    "Malayalam": "അവൻ എല്ലാ ദിവസവും പുസ്തകങ്ങൾ വായിക്കുന്നു",
    "Korean": "아이들이 넓은 마당에서 즐겁게 놀고 있습니다",
    "Georgian": "ბავშვები დიდ ეზოში მხიარულად თამაშობენ",
    "Amharic": "ልጆቹ በትልቁ ግቢ ውስጥ ይጫወታሉ",
}
SPACELESS = {
    "Chinese": "我们今天去公园散步",
    "Japanese": "子どもがパンを食べています",
    "Thai": "เด็กกำลังกินข้าวในบ้าน",
    "Lao": "ເດັກນ້ອຍກິນເຂົ້າ",
    "Khmer": "ក្មេងកំពុងញ៉ាំបាយ",
    "Burmese": "ကလေးက ထမင်းစားနေတယ်",
}
ALL = SPACED | SPACELESS
