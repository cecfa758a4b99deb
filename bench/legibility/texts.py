"""What the pictures say: headlines and bodies as the company's slides have them, in both languages, short and long."""

from shared.content.legibility.slide_text import SlideText

TEXTS = tuple(
    SlideText(headline, body)
    for headline, body in (
        ("Precisão de 0,005 mm em cada peça", "O torno suíço Citizen M32 trabalha barras de até 32 mm com 12 eixos."),
        ("Salas limpas ISO 7", "Duas salas de 60 m² na própria fábrica, para limpeza e embalagem."),
        ("Rastreabilidade e UDI: do lote ao paciente", "Marcação a laser de fibra, feita em casa, em 100 % das peças."),
        ("Rugosidade Ra < 0,1 µm", "O eletropolimento remove microrrebarbas e prepara o implante para a passivação."),
        ("Implantes ortopédicos sem surpresas", "Certificação ISO 13485:2016 e atuação sob a regulação da ANVISA."),
        (
            "Quanto custa um lote atrasado?",
            "Estoque parado, cirurgias remarcadas, confiança perdida. Planeje com quem mede.",
        ),
        ("Metrologia que decide", "A ZEISS Contura mede com exatidão de 1,9 + L/300 µm, peça a peça."),
        ("3 perguntas ao seu fornecedor", "Quem valida o processo? Quem mede? Quem responde em 24 horas?"),
        ("Titânio Grau 5 ou Grau 23?", "Ti-6Al-4V ELI tem menos oxigênio: mais ductilidade e vida em fadiga."),
        ("Parafusos pediculares", "Rosca, cabeça e canulação em uma só fixação: menos variação entre lotes."),
        ("Não confunda tolerância com precisão", "Uma cota de ±0,01 mm só vale se o método de medição for capaz."),
        ("Fale com a nossa engenharia", "Envie o desenho; respondemos com viabilidade e prazo."),
        ("Da barra ao implante em 5 etapas", "Usinagem, rebarbação, eletropolimento, marcação e limpeza."),
        ("Inspeção óptica de 10 a 50×", "O comparador CNC confere perfis de rosca sem tocar na peça."),
        ("Qualificação de fornecedores", "Auditoria, IQ, OQ e PQ: o que pedir antes do primeiro pedido."),
        ("Measure twice, ship once", "The ZEISS Contura measures with an accuracy of 1.9 + L/300 µm."),
        ("Less supply risk, by design", "One site in Indaiatuba: machining, finishing, marking and packaging."),
        ("Titanium dental implants", "Abutments and torque ratchets with Ra below 0.1 µm."),
        ("What does ISO 13485:2016 change for you?", "Validated processes, full traceability, documented changes."),
        ("From bar to implant in 12 axes", "The Citizen M32 turns bars of up to 32 mm in one clamping."),
        ("30 years of precision parts", "Spinal systems, trauma plates, screws and cranial fixation."),
        ("Talk to our engineers", "Send the drawing. You get feasibility and lead time in 48 hours."),
        ("Clean rooms: ISO class 7", "Two rooms of 60 m² for final cleaning and double packaging."),
        ("Veterinary TPLO plates", "Locking screws, anatomical contours, laser-marked lot numbers."),
    )
)
